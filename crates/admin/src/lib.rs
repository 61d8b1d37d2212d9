//! Administrative operations, defined once and offered on the local socket and on the command line.

//! Protocol features, one file or folder for each standard.

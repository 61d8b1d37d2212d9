//! What the XML layer accepts, refuses, describes and writes, seen from outside.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod element;
#[cfg(test)]
mod header;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod scanner;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod top;

//! The points that a feature attaches to, and what it declares about itself.

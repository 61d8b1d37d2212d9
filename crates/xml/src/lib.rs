//! XML for streams: resumable boundary scanner, strict reader, element tree and writer.

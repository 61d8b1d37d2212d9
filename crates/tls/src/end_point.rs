//! RFC 5929 §4: the channel binding `tls-server-end-point`.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::AlgorithmIdentifier;

/// The hash of a server's certificate, given as DER, by the hash function of its signature algorithm.
///
/// None where the standard leaves it undefined: the signature algorithm uses no hash function of its
/// own (Ed25519) or several, or is one that we do not know.
pub fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let hash = hash_of_signature(&parsed.signature_algorithm)?;
    Some(hash.digest(certificate))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

// === impl Hash ===

impl Hash {
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// By the identifier of a hash function. MD5 and SHA-1 count as SHA-256 (RFC 5929 §4.1).
    fn by_identifier(identifier: &str) -> Option<Self> {
        match identifier {
            // MD5, SHA-1 and SHA-256
            "1.2.840.113549.2.5" | "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Some(Self::Sha256),
            "2.16.840.1.101.3.4.2.2" => Some(Self::Sha384),
            "2.16.840.1.101.3.4.2.3" => Some(Self::Sha512),
            "2.16.840.1.101.3.4.2.4" => Some(Self::Sha224),
            _ => None,
        }
    }
}

/// The hash function that a signature algorithm stands for (RFC 8017 A.2.4, RFC 5758 §3, RFC 4055 §3.1).
fn hash_of_signature(algorithm: &AlgorithmIdentifier<'_>) -> Option<Hash> {
    match algorithm.algorithm.to_id_string().as_str() {
        // RSA (PKCS #1 version 1.5) with MD5, SHA-1 and SHA-256; ECDSA with SHA-1 and SHA-256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Hash::Sha256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Hash::Sha384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Hash::Sha512),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => Some(Hash::Sha224),
        "1.2.840.113549.1.1.10" => hash_of_pss(algorithm),
        _ => None,
    }
}

/// RSASSA-PSS names its hash functions in its parameters: for the message and for the mask.
fn hash_of_pss(algorithm: &AlgorithmIdentifier<'_>) -> Option<Hash> {
    let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(algorithm)
    else {
        return None;
    };
    let message = parameters.hash_algorithm_oid().to_id_string();
    let mask = parameters.mask_gen_algorithm().ok()?;
    (mask.hash.to_id_string() == message)
        .then(|| Hash::by_identifier(&message))
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn binding(pem: &str) -> Option<String> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let binding = server_end_point(&certificate)?;
        Some(binding.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        }))
    }

    // The expected values were computed by `openssl x509 -outform der | openssl dgst`.

    #[test]
    fn the_hash_is_the_one_of_the_signature_algorithm_by_rfc_5929_s4_1() {
        for (pem, expected) in [
            (
                include_str!("../fixtures/sha256.pem"),
                "b80beed2c5996e5b5bbc7ef2a0499e36dee7f6573e004e4b72a06c2af5b1bb21",
            ),
            (
                include_str!("../fixtures/sha384.pem"),
                "aaf0bfbc7822ae8842820b41e2024941f197fdb9de8853b49157468ed551f668\
                 0cabbf4443e5f68acfe94ba2d39cc99e",
            ),
            (
                include_str!("../fixtures/sha512.pem"),
                "1c30a840fc2687602df308e2edbff2789d914acf49f82d49f4c7ce72824cf25d\
                 eec207bf8b2c4873578b0bea4ec88ff02e6148beeb52edcadf7ae8fbdab1a5f5",
            ),
            (
                include_str!("../fixtures/rsa-sha512.pem"),
                "cdda83e54a392b319bea16ab344ec39a2bc6ce50b73e862df36ed9d6ad30be9a\
                 cb9579b6f802489cfa3a7bed175b1794503dd8714f6919f463e3f66c0dab8b09",
            ),
            (
                include_str!("../fixtures/pss384.pem"),
                "9e95eec42a3d3b1d7bab72d81fc7760cb3fbfa2c962b3197972a3cc3be2dba08\
                 5880f9c50798186609e585c3a1d0a323",
            ),
        ] {
            assert_eq!(binding(pem).as_deref(), Some(expected));
        }
    }

    #[test]
    fn sha_1_counts_as_sha_256_by_rfc_5929_s4_1() {
        assert_eq!(
            binding(include_str!("../fixtures/sha1.pem")).as_deref(),
            Some("9f258116ae88bb3395eef8f493c079847031ad20ecdd27397173ea41a4cb935c")
        );
    }

    #[test]
    fn no_hash_or_several_leave_it_undefined_by_rfc_5929_s4_1() {
        assert_eq!(binding(include_str!("../fixtures/ed25519.pem")), None);
        assert_eq!(binding(include_str!("../fixtures/pss-mixed.pem")), None);
        assert_eq!(server_end_point(b"not a certificate"), None);
    }
}

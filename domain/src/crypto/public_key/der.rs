//! Reads only the parts of DER (X.690) that enclose a public key: a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), a
//! certificate around one, or the bare RSA key of PKCS #1. Nothing is trusted here: a certificate is only an envelope.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;

const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const ELLIPTIC_CURVE: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];

/// The numbers or the point of a key, not checked yet.
#[derive(Clone)]
pub(crate) enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Reads one element after the other.
struct Reader<'der>(&'der [u8]);

impl<'der> Reader<'der> {
    /// The content of the next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'der [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    fn next(&mut self) -> Option<(u8, &'der [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            // One to three bytes of length are enough for any key, and nothing that long is copied.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn enter(&mut self, tag: u8) -> Option<Reader<'der>> {
        self.take(tag).map(Reader)
    }
}

/// The key in a SubjectPublicKeyInfo.
pub(crate) fn public_key_info(der: &[u8]) -> Option<Material> {
    let mut info = Reader(der).enter(SEQUENCE)?;
    let mut algorithm = info.enter(SEQUENCE)?;
    let kind = algorithm.take(OBJECT_IDENTIFIER)?;
    // The first byte says how many bits of the last one are unused; a key uses all of them.
    let key = info.take(BIT_STRING)?.strip_prefix(&[0])?;
    match kind {
        RSA => rsa_key(key),
        ELLIPTIC_CURVE => match algorithm.take(OBJECT_IDENTIFIER)? {
            P256 => Some(Material::P256(key.to_vec())),
            P384 => Some(Material::P384(key.to_vec())),
            _ => None,
        },
        ED25519 => Some(Material::Ed25519(key.to_vec())),
        _ => None,
    }
}

/// The key in an RSAPublicKey (RFC 8017 A.1.1).
pub(crate) fn rsa_key(der: &[u8]) -> Option<Material> {
    let mut key = Reader(der).enter(SEQUENCE)?;
    let mut number = || {
        let bytes = key.take(INTEGER)?;
        // A leading zero keeps the number positive.
        Some(bytes.strip_prefix(&[0]).unwrap_or(bytes).to_vec())
    };
    Some(Material::Rsa { n: number()?, e: number()? })
}

/// The SubjectPublicKeyInfo in a certificate (RFC 5280 §4.1).
pub(crate) fn certificate(der: &[u8]) -> Option<Material> {
    let mut body = Reader(der).enter(SEQUENCE)?.enter(SEQUENCE)?;
    if body.0.first() == Some(&VERSION) {
        body.take(VERSION)?;
    }
    body.take(INTEGER)?;
    // Signature algorithm, issuer, validity, subject.
    for _ in 0..4 {
        body.take(SEQUENCE)?;
    }
    public_key_info(body.0)
}

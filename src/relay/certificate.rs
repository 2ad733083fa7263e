//! Whether a peer's certificate is the one that an account names.
//!
//! Says nothing about trust: a certificate comes here only after TLS has verified its chain, its dates and that the
//! peer holds its key. Reads no file and no socket.

use std::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::{char, none_of, one_of, space0};
use nom::combinator::{all_consuming, map, map_opt, not, value};
use nom::multi::{fold_many0, separated_list1};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// What a certificate must be: this very one, or one for this subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateIdentity {
    /// SHA-256 over the certificate as sent.
    Fingerprint([u8; 32]),
    /// Its subject.
    Subject(Subject),
}

/// A distinguished name that is not empty, most specific part first. Values are compared as they are, capitals and
/// spaces included; how the certificate encodes them (PrintableString or UTF8String) makes no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(Vec<Rdn>);

/// Type (a dotted object identifier) and value; several of them in any order count as the same.
type Rdn = Vec<(String, String)>;

/// Text that names no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no certificate: expected a SHA-256 fingerprint (64 hex digits, colons allowed) or a subject as in \
     RFC 4514, such as `CN=shop,O=Shop Ltd,C=BE`"
)]
pub struct BadIdentity(String);

/// When a certificate is no longer valid, in seconds since 1970; none if it cannot be read.
pub(super) fn ends(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

impl FromStr for CertificateIdentity {
    type Err = BadIdentity;

    /// A SHA-256 fingerprint (64 hex digits in either case, colons anywhere), or a subject in the form of RFC 4514:
    /// most specific part first, as `openssl x509 -subject -nameopt RFC2253` prints it. Spaces around separators are
    /// ignored; values in the `#hex` form are not supported.
    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        let identity = match fingerprint(text) {
            Some(digest) => Some(Self::Fingerprint(digest)),
            None => match all_consuming(subject).parse(text) {
                Ok((_, subject)) => Some(Self::Subject(subject)),
                Err(_) => None,
            },
        };
        identity.ok_or_else(|| BadIdentity(text.to_owned()))
    }
}

impl CertificateIdentity {
    /// Whether `leaf` is that certificate. One that cannot be decoded has no subject.
    pub fn matches(&self, leaf: &CertificateDer<'_>) -> bool {
        match self {
            Self::Fingerprint(digest) => Sha256::digest(leaf).as_slice() == digest,
            Self::Subject(subject) => X509Certificate::from_der(leaf)
                .is_ok_and(|(_, certificate)| Subject::of(certificate.subject()).as_ref() == Some(subject)),
        }
    }
}

/// Whether `leaf` is the certificate that `expected` names (see [`CertificateIdentity`]); text that names none matches
/// none.
pub fn matches_certificate(expected: &str, leaf: &CertificateDer<'_>) -> bool {
    expected.parse::<CertificateIdentity>().is_ok_and(|identity| identity.matches(leaf))
}

impl Subject {
    /// `None` if the name holds a value that is not text.
    fn of(name: &X509Name<'_>) -> Option<Self> {
        let mut rdns = name
            .iter_rdn()
            .map(|rdn| {
                let attributes = rdn
                    .iter()
                    .map(|attribute| Some((attribute.attr_type().to_id_string(), attribute.as_str().ok()?.to_owned())));
                attributes.collect::<Option<Rdn>>().map(sorted)
            })
            .collect::<Option<Vec<Rdn>>>()?;
        rdns.reverse(); // a certificate has the most general part first
        Some(Self(rdns))
    }
}

fn sorted(mut rdn: Rdn) -> Rdn {
    rdn.sort_unstable();
    rdn
}

fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let mut digits = text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16));
    let mut digest = [0; 32];
    for octet in &mut digest {
        let (high, low) = (digits.next()??, digits.next()??);
        *octet = (high << 4 | low) as u8;
    }
    digits.next().is_none().then_some(digest)
}

fn subject(input: &str) -> IResult<&str, Subject> {
    map(separated_list1(char(','), rdn), Subject).parse(input)
}

fn rdn(input: &str) -> IResult<&str, Rdn> {
    map(separated_list1(char('+'), attribute), sorted).parse(input)
}

fn attribute(input: &str) -> IResult<&str, (String, String)> {
    let kind = map_opt(take_while1(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-'), |kind: &str| {
        Some(object_identifier(kind)?.to_owned())
    });
    (delimited(space0, kind, space0), preceded((char('='), space0, not(char('#'))), attribute_value)).parse(input)
}

/// The keywords of RFC 4514, section 3, and two that client certificates often have besides.
fn object_identifier(kind: &str) -> Option<&str> {
    const KEYWORDS: [(&str, &str); 11] = [
        ("CN", "2.5.4.3"),
        ("L", "2.5.4.7"),
        ("ST", "2.5.4.8"),
        ("O", "2.5.4.10"),
        ("OU", "2.5.4.11"),
        ("C", "2.5.4.6"),
        ("STREET", "2.5.4.9"),
        ("DC", "0.9.2342.19200300.100.1.25"),
        ("UID", "0.9.2342.19200300.100.1.1"),
        ("serialNumber", "2.5.4.5"),
        ("emailAddress", "1.2.840.113549.1.9.1"),
    ];
    let dotted = kind.contains('.') && kind.split('.').all(|arc| arc.parse::<u64>().is_ok());
    match KEYWORDS.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(kind)) {
        Some((_, identifier)) => Some(identifier),
        None => dotted.then_some(kind),
    }
}

/// A value up to the next separator that is not escaped, without the spaces that end it unescaped.
fn attribute_value(input: &str) -> IResult<&str, String> {
    // the octets, and how many of them are not trailing spaces
    let octets = fold_many0(
        alt((map(space, |()| (vec![b' '], false)), map(alt((escaped, plain)), |octets| (octets, true)))),
        || (Vec::new(), 0),
        |(mut octets, kept), (more, significant)| {
            octets.extend(more);
            let kept = if significant { octets.len() } else { kept };
            (octets, kept)
        },
    );
    map_opt(octets, |(mut octets, kept)| {
        octets.truncate(kept);
        String::from_utf8(octets).ok()
    })
    .parse(input)
}

fn space(input: &str) -> IResult<&str, ()> {
    value((), char(' ')).parse(input)
}

fn plain(input: &str) -> IResult<&str, Vec<u8>> {
    map(none_of("\"+,;<>\\\0"), |c| c.to_string().into_bytes()).parse(input)
}

fn escaped(input: &str) -> IResult<&str, Vec<u8>> {
    let pair = map_opt(take_while_m_n(2, 2, |c: char| c.is_ascii_hexdigit()), |pair| u8::from_str_radix(pair, 16).ok());
    let special = map(one_of(" \"#+,;<=>\\"), |c| c as u8);
    preceded(tag("\\"), map(alt((pair, special)), |octet| vec![octet])).parse(input)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    /// A certificate whose subject has these parts, the most general first.
    fn leaf(parts: &[(DnType, &str)]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), DnValue::Utf8String((*value).to_owned()));
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn shop() -> CertificateDer<'static> {
        let dc = DnType::from_oid(&[0, 9, 2342, 19200300, 100, 1, 25]);
        leaf(&[
            (DnType::CountryName, "BE"),
            (DnType::OrganizationName, "Jansen, Peeters & Zoon"),
            (dc, "é#1 "),
            (DnType::CommonName, "shop"),
        ])
    }

    #[test]
    fn a_fingerprint_is_that_of_the_whole_certificate() {
        let leaf = shop();
        let digest: Vec<String> = Sha256::digest(&leaf).iter().map(|octet| format!("{octet:02x}")).collect();
        for text in [digest.concat(), digest.join(":"), digest.join(":").to_uppercase()] {
            assert!(matches_certificate(&text, &leaf));
            assert!(!matches_certificate(&text, &shop()), "another key");
        }
        assert!(!matches_certificate(&digest[1..].concat(), &leaf));
        assert!(!matches_certificate(&format!("{}00", digest.concat()), &leaf));
    }

    #[test]
    fn a_subject_is_compared_part_by_part() {
        let leaf = shop();
        for (text, expected) in [
            ("CN=shop,DC=é#1\\ ,O=Jansen\\, Peeters & Zoon,C=BE", true),
            ("cn=shop, dc = \\C3\\A9\\231\\20 , o=Jansen\\2C Peeters & Zoon, c=BE", true),
            ("2.5.4.3=shop,0.9.2342.19200300.100.1.25=é#1\\ ,2.5.4.10=Jansen\\, Peeters & Zoon,2.5.4.6=BE", true),
            ("CN=Shop,DC=é#1\\ ,O=Jansen\\, Peeters & Zoon,C=BE", false),
            ("CN=shop,DC=é#1,O=Jansen\\, Peeters & Zoon,C=BE", false),
            ("C=BE,O=Jansen\\, Peeters & Zoon,DC=é#1\\ ,CN=shop", false),
            ("CN=shop,DC=é#1\\ ,O=Jansen\\, Peeters & Zoon", false),
            ("CN=shop", false),
            ("CN=shop+DC=é#1\\ ,O=Jansen\\, Peeters & Zoon,C=BE", false),
        ] {
            assert!(text.parse::<CertificateIdentity>().is_ok(), "{text}");
            assert_eq!(matches_certificate(text, &leaf), expected, "{text}");
        }
    }

    #[test]
    fn the_order_within_a_part_is_free() {
        let parse = |text: &str| text.parse::<CertificateIdentity>();
        assert_eq!(parse("CN=a+OU=b,C=BE"), parse("OU=b + CN=a,C=BE"));
        assert_ne!(parse("CN=a+OU=b,C=BE"), parse("CN=a,OU=b,C=BE"));
    }

    #[test]
    fn what_names_nothing_matches_nothing() {
        let nameless = leaf(&[]);
        for text in [
            "",
            " ",
            ",",
            "shop",
            "CN",
            "=shop",
            "XY=shop",
            "CN=a,",
            "CN=a;O=b",
            "CN=#0c0161",
            "CN=\\",
            "CN=\\zz",
            "CN=\\ff",
            "1.x=a",
        ] {
            assert!(text.parse::<CertificateIdentity>().is_err(), "{text:?}");
            assert!(!matches_certificate(text, &nameless), "{text:?}");
        }
        assert!(!matches_certificate("CN=shop", &CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<CertificateIdentity>();
        }

        #[test]
        fn every_value_can_be_written(octets in "\\PC{1,30}") {
            let escaped: String = octets.bytes().map(|octet| format!("\\{octet:02X}")).collect();
            let expected = CertificateIdentity::Subject(Subject(vec![vec![("2.5.4.3".into(), octets)]]));
            prop_assert_eq!(format!("CN={escaped}").parse(), Ok(expected));
        }
    }
}

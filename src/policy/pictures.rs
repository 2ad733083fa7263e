//! Links that lead to a picture or a film, by the ending of their path or by a host that holds nothing else (clause 29).

use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use crate::text::links::Link;

const ENDINGS: [&str; 20] = [
    "3gp", "avi", "avif", "bmp", "gif", "heic", "heif", "jpe", "jpeg", "jpg", "m4v", "mkv", "mov", "mp4", "mpeg",
    "png", "svg", "tiff", "webm", "webp",
];

/// Registered domains and hosts that hold pictures and films for everybody.
const HOSTS: [&str; 24] = [
    "flic.kr",
    "flickr.com",
    "freeimage.host",
    "gfycat.com",
    "giphy.com",
    "gyazo.com",
    "ibb.co",
    "imagebam.com",
    "images.app.goo.gl",
    "imagevenue.com",
    "imgbb.com",
    "imgbox.com",
    "imgflip.com",
    "imgur.com",
    "photobucket.com",
    "photos.app.goo.gl",
    "pinimg.com",
    "postimg.cc",
    "prnt.sc",
    "redgifs.com",
    "snipboard.io",
    "streamable.com",
    "tenor.com",
    "twimg.com",
];

static BY_NAME: LazyLock<HashSet<&'static str, RandomState>> = LazyLock::new(|| HOSTS.into_iter().collect());

/// Whether a link leads to a picture or a film, as far as it can be seen from the link.
pub fn is_picture(link: &Link<'_>) -> bool {
    let path = link.path.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_ending = !ending.is_empty() && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known));
    is_ending
        || link.host.name().is_some_and(|name| {
            let (host, registered) = (name.as_str(), name.registered());
            BY_NAME.contains(host) || (registered.len() < host.len() && BY_NAME.contains(registered))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::links::Links;

    #[test]
    fn pictures_and_others() {
        let mut links = Links::default();
        let mut picture = |text: &str| links.find(text).iter().next().map(|link| is_picture(&link));
        for text in [
            "a.nl/x.jpg",
            "https://a.nl/b/X.JPEG?size=1",
            "a.nl/x.mov#t=3",
            "see i.imgur.com/abc",
            "ibb.co/x",
            "http://192.0.2.1/x.3gp",
        ] {
            assert_eq!(picture(text), Some(true), "{text}");
        }
        for text in [
            "a.nl",
            "a.nl/jpg",
            "a.nl/x.html",
            "a.nl/x.jpg/y",
            "a.nl/?f=x.jpg",
            "a.nl/x.jpgs",
            "notimgur.com/x",
            "see png.com",
        ] {
            assert_eq!(picture(text), Some(false), "{text}");
        }
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(HOSTS.is_sorted() && ENDINGS.is_sorted());
    }
}

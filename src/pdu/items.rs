//! Lists inside a PDU: checked once when the PDU is decoded, then walked without a fault to handle.

/// A list type over octets that were checked item by item, so that walking it again cannot fail.
///
/// The item type has `read` and `write`.
macro_rules! items {
    ($(#[$meta:meta])* $list:ident of $item:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default, PartialEq, Eq)]
        pub struct $list<'a> {
            octets: &'a [u8],
            count: usize,
        }

        impl<'a> $list<'a> {
            /// The items in the order they were sent.
            pub fn iter(&self) -> impl Iterator<Item = $item<'a>> + Clone + use<'a> {
                $crate::pdu::items::walk(self.octets, $item::read).map(|(item, _)| item)
            }

            /// How many items there are.
            pub fn len(&self) -> usize {
                self.count
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.count == 0
            }

            /// The items as they lie on the wire.
            pub fn octets(&self) -> &'a [u8] {
                self.octets
            }

            /// Writes `items` into `buffer`, in place of what it holds, and gives them as a list.
            ///
            /// # Errors
            /// [`Malformed`](super::Malformed) for an item that does not fit its layout; offsets count from the
            /// first item.
            pub fn build<'i>(
                items: impl IntoIterator<Item = $item<'i>>,
                buffer: &'a mut bytes::BytesMut,
            ) -> Result<Self, super::Malformed> {
                buffer.clear();
                let mut count = 0;
                let mut out = super::layout::Writer::bare(buffer);
                for item in items {
                    item.write(&mut out)?;
                    count += 1;
                }
                Ok(Self { octets: buffer, count })
            }
        }

        impl std::fmt::Debug for $list<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_list().entries(self.iter()).finish()
            }
        }
    };
}

pub(super) use items;

use super::layout::Parse;

/// Each item in `octets` with its own octets, up to the first that cannot be read.
pub(super) fn walk<'a, T>(
    octets: &'a [u8],
    read: fn(&'a [u8]) -> Parse<'a, T>,
) -> impl Iterator<Item = (T, &'a [u8])> + Clone {
    std::iter::repeat(()).scan(octets, move |left, ()| {
        let (rest, item) = read(left).ok()?;
        let own = left.get(..left.len() - rest.len())?;
        *left = rest;
        Some((item, own))
    })
}

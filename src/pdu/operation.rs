//! The shape of every operation: one list of fields, from which its view is declared, read and written.

/// Declares a view. `request` and `response` are followed by the command id they are sent with; without one, encoding
/// takes it, because several operations share the body.
///
/// A response may end after any field, as refusals do in the field; what is left out reads as its default.
macro_rules! operation {
    ($(#[$meta:meta])* request $name:ident = $id:ident { $($body:tt)+ }) => {
        $crate::pdu::operation::operation! { @view $(#[$meta])* $name { $($body)+ } }
        $crate::pdu::operation::operation! { @body $name required { $($body)+ } }

        impl $name<'_> {
            /// Writes this operation as one PDU behind what `out` holds.
            ///
            /// # Errors
            /// [`Malformed`](crate::pdu::Malformed) for a field that does not fit its layout; `out` is then unchanged.
            pub fn encode(
                &self,
                sequence: $crate::pdu::SequenceNumber,
                out: &mut bytes::BytesMut,
            ) -> Result<(), $crate::pdu::Malformed> {
                let header = ($crate::pdu::CommandId::$id, $crate::pdu::CommandStatus::ESME_ROK, sequence);
                $crate::pdu::layout::write_pdu(header, out, |out| self.write(out))
            }
        }
    };
    ($(#[$meta:meta])* request $name:ident { $($body:tt)+ }) => {
        $crate::pdu::operation::operation! { @view $(#[$meta])* $name { $($body)+ } }
        $crate::pdu::operation::operation! { @body $name required { $($body)+ } }

        impl $name<'_> {
            /// Writes this operation as one PDU with that command id behind what `out` holds.
            ///
            /// # Errors
            /// [`Malformed`](crate::pdu::Malformed) for a field that does not fit its layout; `out` is then unchanged.
            pub fn encode(
                &self,
                command: $crate::pdu::CommandId,
                sequence: $crate::pdu::SequenceNumber,
                out: &mut bytes::BytesMut,
            ) -> Result<(), $crate::pdu::Malformed> {
                let header = (command, $crate::pdu::CommandStatus::ESME_ROK, sequence);
                $crate::pdu::layout::write_pdu(header, out, |out| self.write(out))
            }
        }
    };
    ($(#[$meta:meta])* response $name:ident = $id:ident { $($body:tt)+ }) => {
        $crate::pdu::operation::operation! { @view $(#[$meta])* $name { $($body)+ } }
        $crate::pdu::operation::operation! { @body $name optional { $($body)+ } }

        impl $name<'_> {
            /// Writes this response as one PDU behind what `out` holds. An error status with nothing to say is the
            /// bare header.
            ///
            /// # Errors
            /// [`Malformed`](crate::pdu::Malformed) for a field that does not fit its layout; `out` is then unchanged.
            pub fn encode(
                &self,
                status: $crate::pdu::CommandStatus,
                sequence: $crate::pdu::SequenceNumber,
                out: &mut bytes::BytesMut,
            ) -> Result<(), $crate::pdu::Malformed> {
                let header = ($crate::pdu::CommandId::$id, status, sequence);
                $crate::pdu::layout::write_pdu(header, out, |out| self.write_response(status, out))
            }
        }
    };
    ($(#[$meta:meta])* response $name:ident { $($body:tt)+ }) => {
        $crate::pdu::operation::operation! { @view $(#[$meta])* $name { $($body)+ } }
        $crate::pdu::operation::operation! { @body $name optional { $($body)+ } }

        impl $name<'_> {
            /// Writes this as the response to `command` behind what `out` holds. An error status with nothing to say
            /// is the bare header.
            ///
            /// # Errors
            /// [`Malformed`](crate::pdu::Malformed) for a field that does not fit its layout; `out` is then unchanged.
            pub fn encode(
                &self,
                command: $crate::pdu::CommandId,
                status: $crate::pdu::CommandStatus,
                sequence: $crate::pdu::SequenceNumber,
                out: &mut bytes::BytesMut,
            ) -> Result<(), $crate::pdu::Malformed> {
                let header = (command.response(), status, sequence);
                $crate::pdu::layout::write_pdu(header, out, |out| self.write_response(status, out))
            }
        }
    };
    (@view $(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $field:ident: $type:ty = $layout:expr;)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name<'a> {
            $($(#[$doc])* pub $field: $type,)+
        }

        impl<'a> $name<'a> {
            fn write(&self, out: &mut $crate::pdu::layout::Writer<'_>) -> Result<(), $crate::pdu::Malformed> {
                $($crate::pdu::layout::Layout::write($layout, self.$field, out)?;)+
                Ok(())
            }
        }
    };
    (@body $name:ident required { $($(#[$doc:meta])* $field:ident: $type:ty = $layout:expr;)+ }) => {
        impl<'a> $name<'a> {
            /// Reads the body of `frame`, all of it, whatever command id it has.
            ///
            /// # Errors
            /// [`Malformed`](crate::pdu::Malformed) for a body that does not follow the layout.
            pub fn decode(frame: $crate::pdu::Frame<'a>) -> Result<Self, $crate::pdu::Malformed> {
                Self::read(frame.body()).map_err(|error| $crate::pdu::layout::placed(error, frame.bytes().len()))
            }

            #[inline]
            fn read(input: &'a [u8]) -> Result<Self, nom::Err<$crate::pdu::layout::Wrong>> {
                $(let (input, $field) = $crate::pdu::layout::Layout::read($layout, input)?;)+
                debug_assert!(input.is_empty(), "every layout ends with what takes the rest");
                Ok(Self { $($field),+ })
            }
        }
    };
    (@body $name:ident optional { $($(#[$doc:meta])* $field:ident: $type:ty = $layout:expr;)+ }) => {
        $crate::pdu::operation::operation! { @body $name required {
            $($field: $type = $crate::pdu::layout::MaybeAbsent($layout);)+
        } }

        impl<'a> $name<'a> {
            fn write_response(
                &self,
                status: $crate::pdu::CommandStatus,
                out: &mut $crate::pdu::layout::Writer<'_>,
            ) -> Result<(), $crate::pdu::Malformed> {
                let bare = status != $crate::pdu::CommandStatus::ESME_ROK && *self == Self::default();
                if bare { Ok(()) } else { self.write(out) }
            }
        }
    };
}

pub(super) use operation;

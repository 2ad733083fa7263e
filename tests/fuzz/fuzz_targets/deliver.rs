//! deliver_sm, its response, and alert_notification.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    smppolicy_fuzz::requests!(body, DeliverSm, AlertNotification);
    smppolicy_fuzz::responses!(body, DeliverSmResp);
});

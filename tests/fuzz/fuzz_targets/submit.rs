//! submit_sm, data_sm and their responses.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    smppolicy_fuzz::requests!(body, SubmitSm, DataSm);
    smppolicy_fuzz::responses!(body, SubmitSmResp, DataSmResp);
});

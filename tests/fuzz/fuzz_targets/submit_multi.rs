//! submit_multi and its response.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    smppolicy_fuzz::requests!(body, SubmitMulti);
    smppolicy_fuzz::responses!(body, SubmitMultiResp);
});

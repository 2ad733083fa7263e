//! Why a request is not done, as `application/problem+json` (RFC 9457) says it: one problem for each kind of fault.
//!
//! Never shows a text or a number of a subscriber that the request did not have.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::ledger::LedgerFault;
use crate::ledger::permissions::{EraseFault, GrantFault, ImportFault, NoScope, NotReplaced, NotWritten};
use crate::ledger::workflow::{Refusal, WorkflowFault};

/// The media type of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    detail: String,
    hint: Option<String>,
    /// After how many seconds to try again.
    retry_after: Option<u32>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), hint: None, retry_after: None }
    }

    /// The request cannot be meant so.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// There is no such thing.
    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Something broke that should not have; the log says what.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be finished: the log of smppolicy says why")
    }

    /// To be tried again after so many seconds.
    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// With what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, hint, retry_after } = self;
        let title = status.canonical_reason().unwrap_or_default();
        let mut body = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
        if let (Some(hint), Some(body)) = (hint, body.as_object_mut()) {
            body.insert("hint".to_owned(), hint.into());
        }
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Unknown { .. } => StatusCode::NOT_FOUND,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<WorkflowFault> for Problem {
    fn from(fault: WorkflowFault) -> Self {
        match fault {
            WorkflowFault::Refused(refusal) => refusal.into(),
            WorkflowFault::Ledger(fault) => fault.into(),
        }
    }
}

impl From<LedgerFault> for Problem {
    fn from(fault: LedgerFault) -> Self {
        tracing::error!(%fault, "a request to the admin interface met a fault of the ledger");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, fault.to_string())
    }
}

impl From<NotWritten> for Problem {
    fn from(fault: NotWritten) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, fault.to_string())
    }
}

impl From<NoScope> for Problem {
    fn from(fault: NoScope) -> Self {
        let status = match fault {
            NoScope::TooLong(..) => StatusCode::BAD_REQUEST,
            NoScope::Full => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, fault.to_string())
    }
}

impl From<GrantFault> for Problem {
    fn from(fault: GrantFault) -> Self {
        match fault {
            GrantFault::NoConsent(why) => Self::invalid(why.to_string()),
            GrantFault::NoScope(fault) => fault.into(),
            GrantFault::NotWritten(fault) => fault.into(),
        }
    }
}

impl From<EraseFault> for Problem {
    fn from(fault: EraseFault) -> Self {
        match fault {
            EraseFault::NotWritten(fault) => fault.into(),
            EraseFault::Ledger(fault) => fault.into(),
        }
    }
}

impl From<ImportFault> for Problem {
    fn from(fault: ImportFault) -> Self {
        match fault {
            ImportFault::Header(_)
            | ImportFault::Future
            | ImportFault::Empty
            | ImportFault::NotReplaced(NotReplaced::Older) => Self::invalid(fault.to_string()),
            ImportFault::Underway => Self::new(StatusCode::CONFLICT, fault.to_string())
                .hint("wait until that import has ended; the same file again changes nothing then"),
            ImportFault::File(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, fault.to_string()),
            ImportFault::NotWritten(fault) => fault.into(),
            ImportFault::NotReplaced(NotReplaced::Ledger(fault)) => fault.into(),
        }
    }
}

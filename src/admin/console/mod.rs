use super::auth::Tokens;
use axum::Router;
use tokio_util::sync::CancellationToken;
pub(super) fn router(_api: Router, _tokens: Tokens, _stop: CancellationToken) -> Router {
    Router::new()
}

//! HTTP edges: health, metrics (later WebSocket, BOSH, uploads and the admin API).

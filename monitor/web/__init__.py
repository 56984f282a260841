"""The HTTP server: metrics, health and readiness, for those who may read them."""

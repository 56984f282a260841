"""What Prometheus reads: tables of metrics, and the text of one scrape rendered without holding up the loop."""

"""What several connectors need to read payloads: XML, JSON, texts, times, coordinates."""

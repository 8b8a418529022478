"""Put load on a server of OpenAI's protocol, and say what it answered and when."""

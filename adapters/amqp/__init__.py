"""RabbitMQ adapter for publishing events."""

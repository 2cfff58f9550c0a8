"""Publishing events to RabbitMQ."""

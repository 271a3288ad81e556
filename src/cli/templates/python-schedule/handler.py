"""What scheduled() returns is kept as the result."""


def scheduled(event, context):
    due = event.scheduled_time.isoformat()
    print(f'"{event.cron}" was due at {due}')
    return {"due": due}

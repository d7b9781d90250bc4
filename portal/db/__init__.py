"""SQLAlchemy models and alembic migrations."""

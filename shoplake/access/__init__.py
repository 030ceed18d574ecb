"""How people read releases: sessions, SQL, KPIs."""

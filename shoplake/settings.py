"""One frozen, typed set of settings: defaults, then ``settings.toml`` in the home, then ``SHOPLAKE_*``."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shoplake.errors import SettingsError

DEFAULT_HOME = Path(".shoplake")


class Settings(BaseSettings):
    """Everything a deployment may change; each field is documented by its description."""

    model_config = SettingsConfigDict(env_prefix="SHOPLAKE_", frozen=True, extra="forbid")

    home: Path = Field(DEFAULT_HOME, description="Folder that holds everything shoplake writes.")
    timezone: str = Field("UTC", description="IANA time zone of the business day.")
    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="ISO 4217 code shown with money.")
    quarantine_limit_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="A file with a larger share of quarantined rows fails and waits for a person."
    )
    keep_landed_files: bool = Field(
        False, description="Leave files in the landing folder after they have landed (they are in clear)."
    )
    stock_hold_hours: Annotated[int, Field(gt=0)] = Field(
        26, description="Hours for which a stock observation holds when no later one comes."
    )
    session_gap_minutes: Annotated[int, Field(gt=0)] = Field(
        30, description="Minutes without an event after which a web session has ended."
    )
    case_timeout_days: Annotated[int, Field(gt=0)] = Field(
        30, description="Days after which a support case without resolution closes as unresolved."
    )
    engagement_window_days: Annotated[int, Field(gt=0)] = Field(
        30, description="Trailing days that count for a customer's engagement score."
    )
    message_text_days: Annotated[int, Field(ge=0)] = Field(
        90,
        description="Days, today's included, whose messages Support reads in clear; older ones go with the next run.",
    )
    settle_after_days: Annotated[int, Field(gt=0)] = Field(
        35, description="Days after a month's end when its day partitions are merged into one."
    )
    release_retention_days: Annotated[int, Field(ge=0)] = Field(
        90,
        description="Days for which a release is kept after a newer one took its place; 0 keeps every release. "
        "Of those that `shoplake stream` made more than an hour ago, one an hour is kept.",
    )
    threads: Annotated[int, Field(gt=0)] = Field(
        os.cpu_count() or 2,
        description="Threads used for landing and building; so many processes land what comes fast by Kafka.",
    )
    memory_limit: str = Field("2GB", description="Memory for DuckDB; more spills to encrypted files.")
    kek_provider: Literal["file", "environment"] = Field("file", description="Where the key-encryption key comes from.")
    store_url: str = Field(
        "", description="URL of a PostgreSQL database for the operational store; empty means SQLCipher in the home."
    )
    publish_postgres_url: str = Field(
        "",
        description="URL, without a password, of a PostgreSQL database into which each release is published for BI "
        "tools; empty means none.",
    )
    publish_postgres_prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)] = Field(
        "shoplake_",
        description="Begins the names of the roles that publishing makes on that server, one for each home.",
    )
    audit_heads: str = Field(
        "", description="Second place of the audit log's signed heads: a folder, or an fsspec URL; empty means none."
    )
    audit_segment_bytes: Annotated[int, Field(ge=4096)] = Field(
        64_000_000, description="Size at which the audit log begins another file; it does so each month too."
    )
    audit_retention_days: Annotated[int, Field(ge=0)] = Field(
        0, description="Days for which files of the audit log are kept; 0 keeps all of them."
    )
    tls_cert_file: Path | None = Field(
        None, description="PEM file of the certificate that servers show; without it one of the home's own authority."
    )
    tls_key_file: Path | None = Field(None, description="PEM file of that certificate's private key.")
    tls_names: tuple[str, ...] = Field(
        (), description="Names and addresses in the certificate of the home's own, beside those of the loopback."
    )
    tls_certificate_days: Annotated[int, Field(ge=1, le=397)] = Field(
        30, description="Days for which that certificate holds; it is renewed when a third of them is left."
    )

    service_hosts: tuple[str, ...] = Field(
        (), description="Names by which the service may be asked, beside the loopback's, `tls_names` and `--host`."
    )
    service_body_limit_bytes: Annotated[int, Field(gt=0)] = Field(
        1_000_000, description="Largest request body that the service takes, beside those of the collector's paths."
    )
    service_answers: Annotated[int, Field(gt=0)] = Field(
        4, description="KPIs that the service answers at once; more wait, and past 64 it answers 503."
    )
    service_memory_limit_bytes: Annotated[int, Field(ge=0)] = Field(
        512_000_000,
        description="Memory for the tables that the service answers KPIs from; those not asked for the longest go, and "
        "what is too large is read from its files. Queries have `memory_limit` for tables and work together.",
    )
    service_ahead: Annotated[int, Field(ge=0)] = Field(
        16,
        description="For so many kinds of people (a role with its limits) the service makes the answers of their pages "
        "ahead, after each release; 0 for none.",
    )
    service_stream_seconds: Annotated[float, Field(gt=0)] = Field(
        20, description="Seconds between two rounds of the stream that `shoplake serve` runs."
    )
    service_page_rows: Annotated[int, Field(gt=0)] = Field(
        1_000, description="Most rows of an answer to SQL that are a page to look at; more of them are an export."
    )
    portal_answer_seconds: Annotated[float, Field(gt=0)] = Field(
        10, description="Seconds after which a tile or table of a page that is not answered says so."
    )
    portal_poll_seconds: Annotated[float, Field(ge=1)] = Field(
        3, description="Seconds between two looks of an open page for a new release."
    )
    session_hours: Annotated[float, Field(gt=0)] = Field(12, description="Hours after which a login has to be renewed.")
    token_days: Annotated[int, Field(gt=0)] = Field(
        90, description="Most days for which a personal access token can be good."
    )

    oidc_issuer: str = Field("", description="Issuer of the OpenID Connect provider; empty means no single sign-on.")
    oidc_client_id: str = Field("", description="Name by which the provider knows shoplake.")
    oidc_client_secret_file: Path | None = Field(
        None, description="File with the secret that the provider gave; without it shoplake is a public client."
    )
    oidc_name_claim: str = Field("email", description="Claim that becomes the user's name at the first login.")
    oidc_groups_claim: str = Field("groups", description="Claim that lists the person's groups.")
    oidc_roles: dict[str, str] = Field(
        {}, description='Role of each group, such as `{"shop-sales" = "sales"}`; the first that fits counts.'
    )
    oidc_limits: dict[str, str] = Field(
        {}, description='Claim that limits users, by attribute, such as `{region = "regions"}`; `*` in it is no limit.'
    )

    sandbox_workers: Annotated[int, Field(gt=0)] = Field(
        8, description="Queries of people that run at once, of one person half of them; more wait for their turn."
    )
    sandbox_wait_seconds: Annotated[float, Field(ge=0)] = Field(
        10, description="Seconds for which a query waits for its turn before it is refused."
    )
    sandbox_seconds: Annotated[float, Field(gt=0)] = Field(60, description="Seconds after which a query is ended.")
    sandbox_rows: Annotated[int, Field(gt=0)] = Field(
        5_000_000, description="Most rows in the answer to a query; it is cut there."
    )
    sandbox_bytes: Annotated[int, Field(gt=0)] = Field(
        256_000_000, description="Most bytes in the answer to a query, as Arrow; it is cut there."
    )
    sandbox_memory_bytes: Annotated[int, Field(ge=64_000_000)] = Field(
        1_000_000_000, description="Memory that the engine of one query may use; it never spills to disk."
    )
    sandbox_threads: Annotated[int, Field(gt=0)] = Field(
        2, description="Threads of a query that reads tables; others have one."
    )
    sandbox_user: str = Field(
        "nobody", description="User of the operating system that queries run as, where the service runs as root."
    )
    sandbox_first_uid: Annotated[int, Field(ge=0)] = Field(
        0,
        description="First of 16 user ids that nobody else uses: sessions of different rights then run as different "
        "users, where the service runs as root. 0 runs all as `sandbox_user`.",
    )

    collector_tls: bool = Field(
        True, description="The collector speaks TLS 1.3 only; plain HTTP is for the loopback, or behind a proxy."
    )
    collector_body_limit_bytes: Annotated[int, Field(gt=0)] = Field(
        8_000_000, description="Largest request body that the collector takes, decompressed."
    )
    collector_event_limit: Annotated[int, Field(gt=0)] = Field(
        10_000, description="Most events in one request to the collector."
    )
    collector_memory_limit_bytes: Annotated[int, Field(gt=0)] = Field(
        128_000_000, description="Bodies that the collector holds in memory at once; past that it answers 503."
    )
    collector_remember_hours: Annotated[float, Field(gt=0)] = Field(
        24, description="Hours for which an `Idempotency-Key` and an `event_id` make a retry safe."
    )
    collector_drain_seconds: Annotated[float, Field(gt=0)] = Field(
        5, description="Seconds between two drains of the collector's spool into the lake."
    )
    collector_segment_source: str = Field(
        "web_events", description="Stream source that messages of Segment's API become; empty means no such API."
    )
    collector_allowed_origins: tuple[str, ...] = Field(
        (),
        description='Origins whose pages may send from a browser, such as `["https://shop.example"]`; `["*"]` is any.',
    )
    collector_log: Literal["spool", "kafka"] = Field(
        "spool",
        description="Where the collector stores what it acknowledges: its spool, or the topics of `kafka_topics`.",
    )
    kafka_brokers: str = Field("", description="Kafka brokers, `host:port` with commas between; empty means no Kafka.")
    kafka_topics: dict[str, str] = Field(
        {}, description='Topic of each source that comes by Kafka, such as `{web_events = "shop.web"}`.'
    )
    kafka_group: Annotated[str, Field(min_length=1)] = Field(
        "shoplake", description="Consumer group; consumers of one group share the partitions."
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak to the brokers."
    )
    kafka_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that sign the brokers' certificates; without it the system's."
    )
    kafka_certificate_file: Path | None = Field(
        None, description="PEM file of the certificate that the brokers know this client by."
    )
    kafka_key_file: Path | None = Field(None, description="PEM file of that certificate's private key.")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How a user signs in to the brokers, with a security of SASL_…."
    )
    kafka_username: str = Field("", description="User at the brokers.")
    kafka_password_file: Path | None = Field(
        None, description="File with the user's password; without it the variable `SHOPLAKE_KAFKA_PASSWORD` holds it."
    )
    kafka_batch_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        5, description="Longest time for which messages are gathered before they land."
    )
    kafka_session_seconds: Annotated[int, Field(ge=6, le=1800)] = Field(
        45, description="Seconds of silence after which a consumer's partitions go to the others."
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone")
        return value

    @field_validator("collector_allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"https?://[^\s/?#@]+", origin):
                raise ValueError(f"{origin!r} is no origin such as https://shop.example")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose values come in as init values."""
        return env_settings, init_settings


def load_settings(home: Path | None = None) -> Settings:
    """Read the settings of ``home`` (default: ``SHOPLAKE_HOME``, then ``./.shoplake``).

    Raises:
        SettingsError: a file that cannot be read or is not TOML, an unknown name, or a value out of its range.

    """
    chosen = Path(home or os.environ.get("SHOPLAKE_HOME") or DEFAULT_HOME).expanduser().absolute()
    file = chosen / "settings.toml"
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        settings = Settings(**{**values, "home": chosen})
        return settings.model_copy(update={"home": chosen})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", hint="Correct the file.") from error
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror}.", hint="Make it a file that you may read."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"Setting {name!r}: {first['msg']}",
            hint=f"Correct it in {file} or in the environment (SHOPLAKE_{name.upper()}).",
        ) from error

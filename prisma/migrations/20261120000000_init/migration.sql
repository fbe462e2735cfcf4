-- CreateTable
CREATE TABLE "site" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "address" TEXT,
    "time_zone" TEXT NOT NULL DEFAULT 'UTC',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "site_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "station" (
    "id" TEXT NOT NULL,
    "folded_id" TEXT NOT NULL,
    "site_id" UUID,
    "name" TEXT,
    "registration_policy" TEXT NOT NULL DEFAULT 'accept',
    "pending_interval_seconds" INTEGER NOT NULL DEFAULT 60,
    "heartbeat_interval_seconds" INTEGER NOT NULL DEFAULT 300,
    "accept_without_boot" BOOLEAN NOT NULL DEFAULT false,
    "security_profile" SMALLINT NOT NULL DEFAULT 1,
    "protocols" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "protocol_without_header" TEXT,
    "switches" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "station_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "station_secret" (
    "station_id" TEXT NOT NULL,
    "slot" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "station_secret_pkey" PRIMARY KEY ("station_id","slot")
);

-- CreateTable
CREATE TABLE "token_group" (
    "id" TEXT NOT NULL,
    "name" TEXT,
    "master_pass" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "token_group_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "token" (
    "id" UUID NOT NULL,
    "value" TEXT NOT NULL,
    "folded_value" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'accepted',
    "expires_at" TIMESTAMPTZ(3),
    "group_id" TEXT,
    "max_transactions" INTEGER,
    "language" TEXT,
    "note" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "role" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_entry" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actor" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "target_type" TEXT NOT NULL,
    "target_id" TEXT NOT NULL,
    "details" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "station_state" (
    "station_id" TEXT NOT NULL,
    "registration" TEXT,
    "onboarded" BOOLEAN NOT NULL DEFAULT false,
    "boot_count" INTEGER NOT NULL DEFAULT 0,
    "last_boot_at" TIMESTAMPTZ(3),
    "boot_reason" TEXT,
    "vendor" TEXT,
    "model" TEXT,
    "serial_number" TEXT,
    "firmware_version" TEXT,
    "iccid" TEXT,
    "imsi" TEXT,
    "meter_type" TEXT,
    "meter_serial_number" TEXT,
    "online" BOOLEAN NOT NULL DEFAULT false,
    "gateway_id" TEXT,
    "connection_id" TEXT,
    "epoch" BIGINT NOT NULL DEFAULT 0,
    "protocol" TEXT,
    "remote_address" TEXT,
    "connected_at" TIMESTAMPTZ(3),
    "disconnected_at" TIMESTAMPTZ(3),
    "last_seen_at" TIMESTAMPTZ(3),

    CONSTRAINT "station_state_pkey" PRIMARY KEY ("station_id")
);

-- CreateTable
CREATE TABLE "evse" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,

    CONSTRAINT "evse_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "connector" (
    "id" UUID NOT NULL,
    "evse_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "status" TEXT,
    "error_code" TEXT,
    "info" TEXT,
    "vendor_id" TEXT,
    "vendor_error_code" TEXT,
    "status_at" TIMESTAMPTZ(3),

    CONSTRAINT "connector_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "protocol_address" (
    "station_id" TEXT NOT NULL,
    "protocol" TEXT NOT NULL,
    "evse_number" INTEGER NOT NULL,
    "connector_number" INTEGER NOT NULL,
    "connector_id" UUID NOT NULL,

    CONSTRAINT "protocol_address_pkey" PRIMARY KEY ("station_id","protocol","evse_number","connector_number")
);

-- CreateTable
CREATE TABLE "variable" (
    "station_id" TEXT NOT NULL,
    "component_key" TEXT NOT NULL,
    "component_instance" TEXT NOT NULL DEFAULT '',
    "evse_number" INTEGER NOT NULL DEFAULT -1,
    "connector_number" INTEGER NOT NULL DEFAULT -1,
    "variable_key" TEXT NOT NULL,
    "variable_instance" TEXT NOT NULL DEFAULT '',
    "attribute_type" TEXT NOT NULL,
    "component" TEXT NOT NULL,
    "variable" TEXT NOT NULL,
    "value" TEXT,
    "mutability" TEXT,
    "persistent" BOOLEAN,
    "constant" BOOLEAN,
    "characteristics" JSONB,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "variable_pkey" PRIMARY KEY ("station_id","component_key","component_instance","evse_number","connector_number","variable_key","variable_instance","attribute_type")
);

-- CreateTable
CREATE TABLE "report_part" (
    "station_id" TEXT NOT NULL,
    "request_id" INTEGER NOT NULL,
    "seq_no" INTEGER NOT NULL,
    "to_be_continued" BOOLEAN NOT NULL,
    "report_data" JSONB NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "report_part_pkey" PRIMARY KEY ("station_id","request_id","seq_no")
);

-- CreateTable
CREATE TABLE "charging_transaction" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "protocol" TEXT NOT NULL,
    "natural_key" TEXT NOT NULL,
    "ocpp_id" TEXT,
    "evse_number" INTEGER,
    "connector_number" INTEGER,
    "token_id" UUID,
    "token_value" TEXT,
    "token_type" TEXT,
    "token_status" TEXT,
    "group_id" TEXT,
    "stop_token_value" TEXT,
    "remote_start_id" INTEGER,
    "reservation_id" INTEGER,
    "status" TEXT NOT NULL,
    "charging_state" TEXT,
    "started_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "stopped_reason" TEXT,
    "registers" JSONB NOT NULL DEFAULT '{}',
    "energy_wh" BIGINT,
    "energy_source" TEXT,
    "evidence" JSONB NOT NULL DEFAULT '{}',
    "held_reasons" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "flags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "boot_count" INTEGER NOT NULL DEFAULT 0,
    "last_seq_no" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "charging_transaction_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "transaction_alias" (
    "station_id" TEXT NOT NULL,
    "ocpp_id" TEXT NOT NULL,
    "transaction_id" UUID NOT NULL,

    CONSTRAINT "transaction_alias_pkey" PRIMARY KEY ("station_id","ocpp_id")
);

-- CreateTable
CREATE TABLE "transaction_step" (
    "transaction_id" UUID NOT NULL,
    "step_key" TEXT NOT NULL,
    "station_id" TEXT NOT NULL,
    "connection_id" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "seq_no" INTEGER,
    "trigger_reason" TEXT,
    "charging_state" TEXT,
    "offline" BOOLEAN NOT NULL DEFAULT false,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "payload" JSONB NOT NULL,
    "decided" JSONB,
    "flags" TEXT[] DEFAULT ARRAY[]::TEXT[],

    CONSTRAINT "transaction_step_pkey" PRIMARY KEY ("transaction_id","step_key")
);

-- CreateTable
CREATE TABLE "meter_reading" (
    "sampled_at" TIMESTAMPTZ(3) NOT NULL,
    "station_id" TEXT NOT NULL,
    "evse_number" INTEGER NOT NULL,
    "connector_number" INTEGER NOT NULL,
    "content_key" TEXT NOT NULL,
    "transaction_id" UUID,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "samples" JSONB NOT NULL,

    CONSTRAINT "meter_reading_pkey" PRIMARY KEY ("sampled_at","station_id","evse_number","connector_number","content_key")
) PARTITION BY RANGE ("sampled_at");

-- CreateTable
CREATE TABLE "command" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "protocol" TEXT,
    "action" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "requested_by" TEXT NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "follow_up" TEXT NOT NULL DEFAULT 'none',
    "calls" JSONB NOT NULL DEFAULT '[]',
    "response" JSONB,
    "late_response" JSONB,
    "error" JSONB,
    "epoch" BIGINT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "dispatched_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "command_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "station_counter" (
    "station_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "value" INTEGER NOT NULL,

    CONSTRAINT "station_counter_pkey" PRIMARY KEY ("station_id","name")
);

-- CreateTable
CREATE TABLE "journal_frame" (
    "at" TIMESTAMPTZ(3) NOT NULL,
    "station_id" TEXT NOT NULL,
    "connection_id" TEXT NOT NULL,
    "direction" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL,
    "protocol" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "action" TEXT,
    "message_id" TEXT,
    "frame" BYTEA NOT NULL,
    "note" TEXT,

    CONSTRAINT "journal_frame_pkey" PRIMARY KEY ("at","station_id","connection_id","direction","sequence")
) PARTITION BY RANGE ("at");

-- CreateTable
CREATE TABLE "heartbeat_count" (
    "station_id" TEXT NOT NULL,
    "day" DATE NOT NULL,
    "count" INTEGER NOT NULL,

    CONSTRAINT "heartbeat_count_pkey" PRIMARY KEY ("station_id","day")
);

-- CreateTable
CREATE TABLE "consumer_offset" (
    "log" TEXT NOT NULL,
    "service" TEXT NOT NULL,
    "topic" TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "next" BIGINT NOT NULL,

    CONSTRAINT "consumer_offset_pkey" PRIMARY KEY ("log","service","topic","partition")
);

-- CreateTable
CREATE TABLE "outbox" (
    "id" BIGSERIAL NOT NULL,
    "source" TEXT NOT NULL,
    "topic" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "value" BYTEA NOT NULL,
    "headers" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "dead_letter" (
    "id" UUID NOT NULL,
    "service" TEXT NOT NULL,
    "topic" TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    "station_id" TEXT NOT NULL,
    "headers" JSONB NOT NULL,
    "value" BYTEA NOT NULL,
    "error" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "replayed_at" TIMESTAMPTZ(3),

    CONSTRAINT "dead_letter_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job" (
    "service" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "station_id" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "job_pkey" PRIMARY KEY ("service","kind","key")
);

-- CreateTable
CREATE TABLE "log_partition" (
    "topic" TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "next" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "log_partition_pkey" PRIMARY KEY ("topic","partition")
);

-- CreateTable
CREATE TABLE "log_record" (
    "topic" TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    "key" TEXT NOT NULL,
    "value" BYTEA NOT NULL,
    "headers" JSONB NOT NULL,
    "appended_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "log_record_pkey" PRIMARY KEY ("topic","partition","offset")
);

-- CreateIndex
CREATE INDEX "station_folded_id_idx" ON "station"("folded_id");

-- CreateIndex
CREATE UNIQUE INDEX "token_folded_value_type_key" ON "token"("folded_value", "type");

-- CreateIndex
CREATE UNIQUE INDEX "api_key_hash_key" ON "api_key"("hash");

-- CreateIndex
CREATE INDEX "audit_entry_target_type_target_id_id_idx" ON "audit_entry"("target_type", "target_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "evse_station_id_number_key" ON "evse"("station_id", "number");

-- CreateIndex
CREATE UNIQUE INDEX "connector_evse_id_number_key" ON "connector"("evse_id", "number");

-- CreateIndex
CREATE UNIQUE INDEX "charging_transaction_natural_key_key" ON "charging_transaction"("natural_key");

-- CreateIndex
CREATE INDEX "charging_transaction_station_id_created_at_idx" ON "charging_transaction"("station_id", "created_at");

-- CreateIndex
CREATE INDEX "charging_transaction_station_id_status_idx" ON "charging_transaction"("station_id", "status");

-- CreateIndex
CREATE INDEX "charging_transaction_token_id_status_idx" ON "charging_transaction"("token_id", "status");

-- CreateIndex
CREATE INDEX "charging_transaction_token_value_status_idx" ON "charging_transaction"("token_value", "status");

-- CreateIndex
CREATE INDEX "charging_transaction_created_at_id_idx" ON "charging_transaction"("created_at", "id");

-- CreateIndex
CREATE INDEX "transaction_alias_transaction_id_idx" ON "transaction_alias"("transaction_id");

-- CreateIndex
CREATE INDEX "transaction_step_station_id_connection_id_sequence_idx" ON "transaction_step"("station_id", "connection_id", "sequence");

-- CreateIndex
CREATE INDEX "meter_reading_transaction_id_sampled_at_idx" ON "meter_reading"("transaction_id", "sampled_at");

-- CreateIndex
CREATE INDEX "command_station_id_created_at_idx" ON "command"("station_id", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "command_requested_by_idempotency_key_key" ON "command"("requested_by", "idempotency_key");

-- CreateIndex
CREATE INDEX "journal_frame_station_id_at_idx" ON "journal_frame"("station_id", "at");

-- CreateIndex
CREATE INDEX "journal_frame_message_id_idx" ON "journal_frame"("message_id");

-- CreateIndex
CREATE INDEX "outbox_source_id_idx" ON "outbox"("source", "id");

-- CreateIndex
CREATE UNIQUE INDEX "dead_letter_service_topic_partition_offset_key" ON "dead_letter"("service", "topic", "partition", "offset");

-- CreateIndex
CREATE INDEX "job_due_at_idx" ON "job"("due_at");

-- AddForeignKey
ALTER TABLE "station" ADD CONSTRAINT "station_site_id_fkey" FOREIGN KEY ("site_id") REFERENCES "site"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "token" ADD CONSTRAINT "token_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "token_group"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connector" ADD CONSTRAINT "connector_evse_id_fkey" FOREIGN KEY ("evse_id") REFERENCES "evse"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Written by hand from here on: what schema.prisma cannot say.

-- Rows whose station's clock is wrong have a place too; the ranges of the days ahead are made at start and daily.
CREATE TABLE "meter_reading_default" PARTITION OF "meter_reading" DEFAULT;
CREATE TABLE "journal_frame_default" PARTITION OF "journal_frame" DEFAULT;

-- Few rows, rewritten with every batch: room on the page lets the new version stand beside the old one.
ALTER TABLE "consumer_offset" SET (fillfactor = 20);
ALTER TABLE "log_partition" SET (fillfactor = 20);
ALTER TABLE "station_state" SET (fillfactor = 70);
ALTER TABLE "connector" SET (fillfactor = 70);
ALTER TABLE "charging_transaction" SET (fillfactor = 80);

-- Queues: everything inserted is deleted soon after, so a share of the rows says nothing about the dead ones.
ALTER TABLE "outbox" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE "log_record" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
ALTER TABLE "job" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Moves the offsets of one commit, or none: a row that is not where the worker left it belongs to another now.
-- Rows are locked in partition order, so that two workers never wait for each other.
CREATE FUNCTION "advance_offsets"(
  for_log text, for_service text, topics text[], partitions int[], olds bigint[], news bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  moved int;
BEGIN
  PERFORM 1
    FROM consumer_offset AS o
    JOIN unnest(topics, partitions) AS r(topic, partition) ON o.topic = r.topic AND o.partition = r.partition
    WHERE o.log = for_log AND o.service = for_service
    ORDER BY o.partition, o.topic
    FOR UPDATE OF o;
  UPDATE consumer_offset AS o
    SET next = r.new
    FROM unnest(topics, partitions, olds, news) AS r(topic, partition, old, new)
    WHERE o.log = for_log AND o.service = for_service
      AND o.topic = r.topic AND o.partition = r.partition AND o.next = r.old;
  GET DIAGNOSTICS moved = ROW_COUNT;
  IF moved <> cardinality(topics) THEN
    RAISE EXCEPTION 'offsets of % moved: % of % rows are where they were left', for_service, moved, cardinality(topics)
      USING ERRCODE = 'BB001';
  END IF;
END
$$;

-- CreateTable
CREATE TABLE "bulk_command" (
    "id" UUID NOT NULL,
    "name" TEXT,
    "action" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "selection" JSONB NOT NULL,
    "stations" INTEGER NOT NULL,
    "pace_per_minute" INTEGER NOT NULL,
    "jitter_seconds" INTEGER NOT NULL,
    "stop_above_percent" INTEGER,
    "stop_after" INTEGER NOT NULL,
    "command_expiry_seconds" INTEGER NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "status" TEXT NOT NULL,
    "status_reason" TEXT,
    "created_by" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "approved_by" TEXT,
    "decided_by" TEXT,
    "started_at" TIMESTAMPTZ(3),
    "resumed_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3),

    CONSTRAINT "bulk_command_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "bulk_target" (
    "bulk_id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "offset_ms" INTEGER NOT NULL,
    "sent_at" TIMESTAMPTZ(3),
    "command_id" UUID,
    "error" TEXT,

    CONSTRAINT "bulk_target_pkey" PRIMARY KEY ("bulk_id","station_id")
);

-- CreateTable
CREATE TABLE "bulk_kill_switch" (
    "id" INTEGER NOT NULL,
    "engaged_by" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "engaged_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "bulk_kill_switch_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "bulk_command_due_at_idx" ON "bulk_command"("due_at");

-- CreateIndex
CREATE INDEX "bulk_target_bulk_id_offset_ms_idx" ON "bulk_target"("bulk_id", "offset_ms");

-- CreateIndex
CREATE INDEX "bulk_target_sent_at_idx" ON "bulk_target"("sent_at");

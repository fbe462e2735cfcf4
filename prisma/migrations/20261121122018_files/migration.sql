-- CreateTable
CREATE TABLE "firmware_image" (
    "id" UUID NOT NULL,
    "file_name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "vendor" TEXT,
    "model" TEXT,
    "note" TEXT,
    "bytes" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "signing_certificate" TEXT,
    "signature" TEXT,
    "signature_state" TEXT NOT NULL DEFAULT 'none',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "firmware_image_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "station_file" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "command_id" UUID NOT NULL,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "pieces" JSONB NOT NULL DEFAULT '[]',
    "content_type" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "station_file_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "transfer" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "command_id" UUID,
    "request_id" INTEGER,
    "answer" TEXT,
    "state" TEXT NOT NULL,
    "superseded" BOOLEAN NOT NULL DEFAULT false,
    "history" JSONB NOT NULL DEFAULT '[]',
    "location" TEXT,
    "file_name" TEXT,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "transfer_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "station_file_station_id_created_at_idx" ON "station_file"("station_id", "created_at");

-- CreateIndex
CREATE INDEX "station_file_command_id_idx" ON "station_file"("command_id");

-- CreateIndex
CREATE UNIQUE INDEX "transfer_command_id_key" ON "transfer"("command_id");

-- CreateIndex
CREATE INDEX "transfer_station_id_requested_at_id_idx" ON "transfer"("station_id", "requested_at", "id");

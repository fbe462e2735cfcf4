-- AlterTable
ALTER TABLE "station" ADD COLUMN     "serial_number" TEXT;

-- CreateTable
CREATE TABLE "certificate_authority" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "organization" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "rsa_padding" TEXT NOT NULL,
    "root" TEXT NOT NULL,
    "certificate" TEXT NOT NULL,
    "sealed_key" TEXT NOT NULL,
    "validity_days" INTEGER NOT NULL,
    "not_after" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "certificate_authority_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "installed_certificate" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "hash_algorithm" TEXT NOT NULL,
    "issuer_name_hash" TEXT NOT NULL,
    "issuer_key_hash" TEXT NOT NULL,
    "serial_number" TEXT NOT NULL,
    "reported_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "installed_certificate_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "root_installation" (
    "command_id" UUID NOT NULL,
    "call_index" INTEGER NOT NULL,
    "station_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "fingerprint" TEXT,
    "status" TEXT NOT NULL,
    "answer" TEXT,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),

    CONSTRAINT "root_installation_pkey" PRIMARY KEY ("command_id","call_index")
);

-- CreateTable
CREATE TABLE "security_profile_change" (
    "station_id" TEXT NOT NULL,
    "profile" SMALLINT NOT NULL,
    "status" TEXT NOT NULL,
    "command_id" UUID NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),

    CONSTRAINT "security_profile_change_pkey" PRIMARY KEY ("station_id")
);

-- CreateTable
CREATE TABLE "security_event" (
    "station_id" TEXT NOT NULL,
    "content_key" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "type" TEXT NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "tech_info" TEXT,
    "level" TEXT,

    CONSTRAINT "security_event_pkey" PRIMARY KEY ("station_id","content_key")
);

-- CreateIndex
CREATE INDEX "installed_certificate_station_id_idx" ON "installed_certificate"("station_id");

-- CreateIndex
CREATE INDEX "root_installation_station_id_requested_at_idx" ON "root_installation"("station_id", "requested_at");

-- CreateIndex
CREATE UNIQUE INDEX "security_event_id_key" ON "security_event"("id");

-- CreateIndex
CREATE INDEX "security_event_station_id_received_at_idx" ON "security_event"("station_id", "received_at");

-- AlterTable
ALTER TABLE "station_state" ADD COLUMN     "security_profile" SMALLINT NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "trust_anchor" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "certificate" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "not_after" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "trust_anchor_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "revoked_certificate" (
    "fingerprint" TEXT NOT NULL,
    "station_id" TEXT,
    "reason" TEXT,
    "revoked_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "revoked_certificate_pkey" PRIMARY KEY ("fingerprint")
);

-- CreateTable
CREATE TABLE "station_certificate" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "csr" TEXT NOT NULL,
    "chain" TEXT,
    "fingerprint" TEXT,
    "serial_number" TEXT,
    "error" TEXT,
    "not_before" TIMESTAMPTZ(3),
    "not_after" TIMESTAMPTZ(3),
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "first_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "station_certificate_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "trust_anchor_fingerprint_key" ON "trust_anchor"("fingerprint");

-- CreateIndex
CREATE UNIQUE INDEX "station_certificate_fingerprint_key" ON "station_certificate"("fingerprint");

-- CreateIndex
CREATE INDEX "station_certificate_station_id_requested_at_idx" ON "station_certificate"("station_id", "requested_at");

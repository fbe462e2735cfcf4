-- CreateTable
CREATE TABLE "local_list" (
    "station_id" TEXT NOT NULL,
    "version" INTEGER,
    "state" TEXT,
    "known" BOOLEAN NOT NULL DEFAULT false,
    "full_id" UUID,
    "refused_id" UUID,
    "fallback" TEXT,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "local_list_pkey" PRIMARY KEY ("station_id")
);

-- CreateTable
CREATE TABLE "local_list_entry" (
    "station_id" TEXT NOT NULL,
    "folded_tag" TEXT NOT NULL,
    "id_tag" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "parent_id_tag" TEXT,

    CONSTRAINT "local_list_entry_pkey" PRIMARY KEY ("station_id","folded_tag")
);

-- CreateTable
CREATE TABLE "reservation" (
    "id" UUID NOT NULL,
    "station_id" TEXT NOT NULL,
    "reservation_id" INTEGER NOT NULL,
    "connector" INTEGER NOT NULL,
    "id_tag" TEXT NOT NULL,
    "parent_id_tag" TEXT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "status" TEXT NOT NULL,
    "reason" TEXT,
    "answer" TEXT NOT NULL,
    "evidence" JSONB NOT NULL DEFAULT '{}',
    "transaction_id" UUID,
    "flags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "requested_by" TEXT NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "reservation_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "reservation_station_id_reservation_id_idx" ON "reservation"("station_id", "reservation_id");

-- CreateIndex
CREATE INDEX "reservation_station_id_requested_at_idx" ON "reservation"("station_id", "requested_at");

-- CreateIndex
CREATE INDEX "reservation_station_id_status_idx" ON "reservation"("station_id", "status");

-- CreateIndex
CREATE INDEX "reservation_requested_at_id_idx" ON "reservation"("requested_at", "id");

-- AlterTable
ALTER TABLE "api_key" ADD COLUMN     "is_limited" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "switched_station" (
    "owner" TEXT NOT NULL,
    "station_id" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "switched_station_pkey" PRIMARY KEY ("owner","station_id")
);

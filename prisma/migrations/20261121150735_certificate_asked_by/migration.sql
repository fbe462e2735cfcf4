-- AlterTable
ALTER TABLE "station_certificate" ADD COLUMN     "asked_by" JSONB;

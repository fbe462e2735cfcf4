-- AlterTable
ALTER TABLE "station_secret" ADD COLUMN     "carried_by" TEXT;

-- AlterTable
ALTER TABLE "bulk_command" ADD COLUMN     "progress" JSONB;

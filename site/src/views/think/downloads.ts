// The stored downloads, in a file of its own because few visitors need them.
export { deleteDownload, listDownloads } from "lightning-m1";

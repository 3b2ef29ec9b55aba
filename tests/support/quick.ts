/** Whether this is `npm run test:quick`, which leaves out what takes long. */
export const quick = process.env.TEST_QUICK === "1";

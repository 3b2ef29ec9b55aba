/** Whether this is `npm run test:quick`, which leaves out slow tests. */
export const quick = process.env.TEST_QUICK === "1";

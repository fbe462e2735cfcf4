/** What the system under test is started with, beside what every test system has. */
export const settings = {
  // So that a half-open link is found within the test's time.
  BUSBAR_GATEWAY_ALLOW_PROFILE_0: 'true',
  BUSBAR_GATEWAY_PING_INTERVAL_SECONDS: '1',
}

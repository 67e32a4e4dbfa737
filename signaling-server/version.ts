/** The version in package.json, which is not at hand wherever the built server runs. */
export const VERSION = '0.1.0';

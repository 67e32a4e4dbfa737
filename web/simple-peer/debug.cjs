/** simple-peer's log, which is not used: the page has its own. */
module.exports = () => () => undefined;

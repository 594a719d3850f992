// Names below localhost are this machine (RFC 6761 section 6.3). curl and browsers know that; Node.js asks the
// resolver of the system, and many of these do not. With names of your own you do not need this.

import dns from "node:dns";

const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(/(^|\.)localhost$/.test(name) ? "127.0.0.1" : name, ...rest);

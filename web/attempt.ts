/** What this page's connections carry in their address: the server says what has come of them. */
import { v4 as uuid } from 'uuid';

export const ATTEMPT = { attempt: uuid() };

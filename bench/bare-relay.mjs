/** The floor of signaling: Socket.IO that passes messages on by name, and checks nothing. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen } from './page-server.mjs';

const server = createServer();
const io = new Server(server, { transports: ['websocket'], serveClient: false });
const sockets = new Map();
io.on('connection', (socket) => {
  let own;
  socket.on('join', ({ id }, reply) => {
    own = id;
    sockets.set(id, socket);
    reply({ ok: true });
  });
  socket.on('signal', ({ to, ...signal }, reply) => {
    sockets.get(to)?.emit('signal', { from: own, ...signal });
    reply({ ok: true });
  });
  socket.on('disconnect', () => sockets.delete(own));
});
await listen(server);

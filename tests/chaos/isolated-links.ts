/** Links in a network that keeps devices apart, as guest networks do: everything goes through the server. */
import type { Signal } from '../../shared/protocol/signaling.ts';
import type { OpenLink } from '../../shared/driver/ports.ts';

/** @param openLink makes the links; no end learns the address of the other */
export function isolatedLinks(openLink: OpenLink): OpenLink {
  return (initiator, handlers) => {
    const link = openLink(initiator, handlers);
    return {
      signal: (signal) => {
        const rest = withoutAddresses(signal);
        if (rest !== null) link.signal(rest);
      },
      send: (frame) => {
        link.send(frame);
      },
      close: () => {
        link.close();
      },
    };
  };
}

function withoutAddresses(signal: Signal): Signal | null {
  switch (signal.type) {
    case 'offer':
    case 'answer':
      return { ...signal, sdp: signal.sdp.replaceAll(/a=candidate.*\r\n/g, '') };
    case 'candidate':
      return null;
    default:
      return signal;
  }
}

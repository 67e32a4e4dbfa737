/** Links over real WebRTC in Node keep the contract. */
import SimplePeer from 'simple-peer';
import { nodeWebRtc } from '../../peer/node-links.ts';
import { linkContract } from './links.ts';
import { simplePeerGround } from './simple-peer-ground.ts';

linkContract('simple-peer in Node', () => simplePeerGround(SimplePeer, { wrtc: nodeWebRtc }));

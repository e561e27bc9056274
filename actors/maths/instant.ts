/** A point in event time (epoch ms) as stored bytes. As text, because JSON has no ±Infinity: "none yet" and "all". */
import { type Codec, textOf, utf8 } from '../../runtime/contract/stage.js';

export const instant: Codec<number> = {
  encode: (timeMs) => utf8(String(timeMs)),
  decode: (bytes) => Number(textOf(bytes)),
};

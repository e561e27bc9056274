import { MemoryStore, type StoreContents } from '../../state/memory-store.js';
import { storeContract } from '../contracts/store-contract.js';

storeContract('in memory', async () => {
  let contents: StoreContents = new Map();
  let store: MemoryStore | undefined;
  return {
    open: async () => {
      contents = store?.contents() ?? contents;
      store = new MemoryStore(contents);
      return store;
    },
    stop: async () => undefined,
  };
});

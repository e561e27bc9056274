/** What a property names as the most, it also tries: by default fast-check stops at some ten elements, whatever `maxLength` says. */
import fc from 'fast-check';

fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });

/** A list for a user: form and result. The query is kept in the address, so that it can be shared. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Recommendations } from './answers.js';
import { knownCategories } from './categories.js';
import { useSharedValue } from './shared-value.js';
import { Icon } from './icons.js';
import { announce, FaultNotice, Panel, Spinner } from './panel.js';
import { Comparison } from './comparison.js';
import { type Question, questionIn, STRATEGIES, toHash } from './question.js';
import { RecommendationTable } from './recommendation-table.js';
import { words } from './subject.js';
import { faultOf, getJson, query, RequestFault, tokenRequest } from './server.js';
import { moment, plural } from './wording.js';

type Shown = {
  readonly answer?: Recommendations;
  readonly answeredAtMs?: number;
  readonly fault?: RequestFault;
  readonly busy: boolean;
};

const EMPTY: Question = { user: '', n: '10', category: '', excludeSeen: false, strategy: '' };

/** `isUnreachable`: the server does not respond, so that the list may be out of date. */
export function RecommendationsPanel({ isUnreachable }: { readonly isUnreachable: boolean }) {
  const { question, shown, onChange, onAsk, onRandom } = useQuestion();
  const { answer, fault, busy } = shown;
  const staleSinceMs = isUnreachable ? shown.answeredAtMs : undefined;
  const { recommendations: title } = useSharedValue(words);
  const general = fault !== undefined && !FIELDS.some((field) => fault.of(field) !== undefined);
  return (
    <Panel
      id="recommendations"
      title={title}
      hint={<About answer={answer} isStale={staleSinceMs !== undefined} />}
      actions={<CopyLink />}
      staleSinceMs={staleSinceMs}
    >
      <QuestionForm {...{ question, fault, busy, onChange, onAsk, onRandom }} />
      {general && <FaultNotice fault={fault} />}
      <RecommendationTable answer={answer} busy={busy} />
      {answer !== undefined && <Comparison key={answer.user_id} user={answer.user_id} />}
    </Panel>
  );
}

/** The question as it is typed, and its answer. An answered question stands in the address, and a new address is a new question. */
function useQuestion() {
  const [question, setQuestion] = useState<Question>(questionIn(location.hash) ?? EMPTY);
  const { shown, ask, refuse } = useAnswer();

  const askAt = (path: string, toQuestion: (answer: Recommendations) => Question): Promise<void> =>
    ask(path, (answer) => {
      announce(`${plural(answer.items.length, 'recommendation')} for ${answer.user_id}.`);
      const answered = toQuestion(answer);
      // Text typed meanwhile stays.
      setQuestion((now) => (now === question ? answered : now));
      history.replaceState(undefined, '', toHash(answered));
    });
  const askFor = async (asked: Question): Promise<void> => {
    if (asked.user.trim() === '') {
      const errors = [{ field: 'user_id', detail: 'Give a user id, or take a random user.' }];
      refuse(new RequestFault('A user id is missing.', 400, { errors }));
      return;
    }
    const { user, n, category, excludeSeen, strategy } = asked;
    const fields = { user_id: user.trim(), n: n.trim(), category: category.trim(), strategy };
    await askAt(`/reco${query({ ...fields, exclude_seen: excludeSeen || undefined })}`, () => asked);
  };
  const askRandom = (): Promise<void> =>
    askAt(`/reco/random${query({ n: question.n.trim(), strategy: question.strategy })}`, ({ user_id: user }) => ({
      ...EMPTY,
      ...{ n: question.n, strategy: question.strategy, user },
    }));

  useEffect(() => {
    const begin = (): void => {
      const asked = questionIn(location.hash);
      if (asked !== undefined) setQuestion(asked);
      // A page that was just opened shows some user.
      void (asked === undefined ? askRandom() : askFor(asked));
    };
    const onHash = (): void => {
      if (questionIn(location.hash) !== undefined) begin();
    };
    begin();
    addEventListener('hashchange', onHash);
    return () => removeEventListener('hashchange', onHash);
  }, []);
  const onChange = (change: Partial<Question>): void => setQuestion({ ...question, ...change });
  return { question, shown, onChange, onAsk: () => void askFor(question), onRandom: () => void askRandom() };
}

/** The answer to the latest request: a new one aborts the previous one. */
function useAnswer() {
  const [shown, setShown] = useState<Shown>({ busy: false });
  const running = useRef<AbortController>(undefined);
  /** Repeats a query that has no answer yet, or was refused for lack of a token. */
  const unanswered = useRef<() => void>(undefined);

  const ask = async (path: string, onAnswer: (answer: Recommendations) => void): Promise<void> => {
    running.current?.abort();
    const mine = (running.current = new AbortController());
    unanswered.current = () => void ask(path, onAnswer);
    setShown((before) => ({ ...before, busy: true }));
    try {
      const answer = await getJson<Recommendations>(path, { signal: mine.signal });
      unanswered.current = undefined;
      setShown({ answer, answeredAtMs: Date.now(), busy: false });
      onAnswer(answer);
    } catch (error) {
      // The answer to an earlier query, or for a part that is unmounted.
      if (mine.signal.aborted) return;
      const fault = faultOf(error);
      setShown({ fault, busy: false });
      if (fault.status !== 401) unanswered.current = undefined;
    }
  };
  useEffect(() => {
    const forget = tokenRequest.listen(() => tokenRequest.value === undefined && unanswered.current?.());
    return () => {
      forget();
      running.current?.abort();
    };
  }, []);
  return { shown, ask, refuse: (fault: RequestFault): void => setShown({ fault, busy: false }) };
}

interface QuestionFormProps {
  readonly question: Question;
  readonly fault: RequestFault | undefined;
  readonly busy: boolean;
  readonly onChange: (change: Partial<Question>) => void;
  readonly onAsk: () => void;
  readonly onRandom: () => void;
}

function QuestionForm({ question, fault, busy, onChange, onAsk, onRandom }: QuestionFormProps) {
  const form = useRef<HTMLFormElement>(null);
  // After a query, errors are scrolled into view.
  useEffect(() => {
    if (fault === undefined || form.current?.contains(document.activeElement) !== true) return;
    const shown = form.current.parentElement!.querySelector('.field-error, .notice');
    (shown?.closest('.field') ?? shown)?.scrollIntoView({ block: 'nearest' });
  }, [fault]);
  return (
    <form
      ref={form}
      class="question"
      noValidate
      aria-label="Recommendations for a user"
      onSubmit={(event) => {
        event.preventDefault();
        onAsk();
      }}
    >
      <Field
        label="User id"
        name="user_id"
        value={question.user}
        fault={fault}
        onChange={(user) => onChange({ user })}
      />
      <Field label="How many" name="n" value={question.n} fault={fault} onChange={(n) => onChange({ n })} isNumber />
      <CategoryField value={question.category} fault={fault} onChange={(category) => onChange({ category })} />
      <div class="field field-strategy">
        <label for="reco-strategy">Order by</label>
        <select
          id="reco-strategy"
          value={question.strategy}
          onChange={(event) => onChange({ strategy: event.currentTarget.value })}
        >
          <option value="">the node's setting</option>
          {Object.entries(STRATEGIES).map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={question.excludeSeen}
          onChange={(event) => onChange({ excludeSeen: event.currentTarget.checked })}
        />
        Without what was seen
      </label>
      <div class="buttons">
        <button type="submit" class="primary">
          {busy && <Spinner />} Recommend
        </button>
        <button type="button" onClick={onRandom}>
          <Icon name="dice" /> Random user
        </button>
      </div>
    </form>
  );
}

const FIELDS = ['user_id', 'n', 'category', 'exclude_seen', 'strategy'];

/** For an outdated list, the time at which it was received follows instead. */
function About({ answer, isStale }: { readonly answer: Recommendations | undefined; readonly isStale: boolean }) {
  if (answer === undefined) return <>What a user will like next</>;
  return (
    <>
      For {answer.is_random ? 'a random user, ' : ''}
      <code>{answer.user_id}</code>
      {!isStale && answer.as_of !== undefined && <>, as of {moment(answer.as_of)}</>}
      {!isStale && answer.stale === true && <> (may be out of date: the node hears of nothing new)</>}
      {answer.model !== undefined && <>, by {answer.model}</>}
      {answer.arm !== undefined && <>, in arm {answer.arm}</>}
      {isStale && ', '}
    </>
  );
}

interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly value: string;
  readonly fault: RequestFault | undefined;
  readonly onChange: (value: string) => void;
  readonly isNumber?: boolean;
  readonly list?: string;
  readonly placeholder?: string;
}

/** The server validates the fields; an error is shown below its field. */
function Field({ label, name, value, fault, onChange, isNumber, list, placeholder }: FieldProps) {
  const wrong = fault?.of(name);
  return (
    <div class={`field field-${name}`}>
      <label for={`reco-${name}`}>{label}</label>
      <input
        id={`reco-${name}`}
        name={name}
        value={value}
        list={list}
        placeholder={placeholder}
        inputMode={isNumber === true ? 'numeric' : undefined}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        aria-invalid={wrong !== undefined}
        aria-describedby={wrong === undefined ? undefined : `reco-${name}-wrong`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      {wrong !== undefined && (
        <p id={`reco-${name}-wrong`} class="field-error" role="alert">
          {wrong}
        </p>
      )}
    </div>
  );
}

function CategoryField(props: Pick<FieldProps, 'value' | 'fault' | 'onChange'>) {
  const categories = useSharedValue(knownCategories);
  const { group } = useSharedValue(words);
  return (
    <>
      <Field label={group} name="category" placeholder="any" list="categories" {...props} />
      <datalist id="categories">
        {categories.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </>
  );
}

function CopyLink() {
  const [said, setSaid] = useState('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(location.href);
      setSaid('Copied');
    } catch {
      setSaid('Copy it from the address bar');
    }
    setTimeout(() => setSaid(''), 3_000);
  };
  return (
    <button type="button" class="quiet" onClick={() => void copy()}>
      <Icon name="link" /> <span aria-live="polite">{said === '' ? 'Copy link' : said}</span>
    </button>
  );
}

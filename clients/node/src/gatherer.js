// Calls that gather: they go at once while few are out, else into the next
// statement. Under load a statement serves many, and a call alone waits for nobody.
import { NoLimitError, stateOf } from './errors.js';

/** How many statements may be out before calls gather. */
const MOST_OUT = 2;
/** What acquire_many takes at most. */
const LARGEST = 10000;

/**
 * @template Asked, Answer
 * @typedef {{ group: string, asked: Asked, resolve: (answer: Answer) => void, reject: (error: unknown) => void }} Call
 */

/**
 * @template Asked, Answer
 */
export class Gatherer {
	/** @type {Call<Asked, Answer>[]} */
	#waiting = [];
	#out = 0;
	#send;
	#groupOf;
	#timerMs;

	/**
	 * @param {(asked: Asked[]) => Promise<Answer[]>} send answers in their order
	 * @param {(asked: Asked) => string} groupOf calls of one group go together
	 * @param {number} [timerMs] wait so long for others before anything is sent
	 */
	constructor(send, groupOf, timerMs) {
		this.#send = send;
		this.#groupOf = groupOf;
		this.#timerMs = timerMs;
	}

	/**
	 * @param {Asked} asked
	 * @returns {Promise<Answer>}
	 */
	ask(asked) {
		return new Promise((resolve, reject) => {
			this.#waiting.push({ group: this.#groupOf(asked), asked, resolve, reject });
			if (this.#out < MOST_OUT)
				this.#run();
		});
	}

	async #run() {
		this.#out++;
		if (this.#timerMs !== undefined)
			await new Promise((resolve) => setTimeout(resolve, this.#timerMs));
		for (let batch = this.#take(); batch.length > 0; batch = this.#take())
			await this.#answer(batch);
		this.#out--;
	}

	/** The call that waits longest, and all that can go with it. */
	#take() {
		const group = this.#waiting[0]?.group;
		/** @type {Call<Asked, Answer>[]} */
		const batch = [];
		/** @type {Call<Asked, Answer>[]} */
		const rest = [];
		for (const call of this.#waiting)
			(call.group === group && batch.length < LARGEST ? batch : rest).push(call);
		this.#waiting = rest;
		return batch;
	}

	/** @param {Call<Asked, Answer>[]} batch */
	async #answer(batch) {
		try {
			const answers = await this.#send(batch.map((call) => call.asked));
			batch.forEach((call, i) => call.resolve(answers[i]));
		} catch (error) {
			if (batch.length > 1 && isNothingDone(error))
				await Promise.all(batch.map((call) => this.#answer([call])));
			else
				batch.forEach((call) => call.reject(error));
		}
	}
}

/**
 * Did the error come before anything was taken: of arguments, or a limit that is
 * not there?
 *
 * @param {unknown} error
 */
function isNothingDone(error) {
	const state = stateOf(error);
	return error instanceof NoLimitError || error instanceof TypeError || state === '54000' || state?.startsWith('22') === true;
}

import { useState } from 'preact/hooks'
import { signedOutBecause, signIn } from './api/session.js'
import { chooseLanguage, language, t } from './text/language.js'
import { SIGN_IN } from './text/sign-in.js'

/** The only view without a token. */
export function SignIn() {
  const [wrong, setWrong] = useState(false)
  const because = signedOutBecause.value
  const other = language.value === 'en' ? 'zh-CN' : 'en'
  return (
    <main class="sign-in" id="content">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault()
          const given = new FormData(event.currentTarget).get('token')
          setWrong(!signIn(String(given ?? '')))
        }}
      >
        <h1>chat-cutover</h1>
        {because !== undefined && (
          <p class="notice" role="status">
            {t(SIGN_IN[because])}
          </p>
        )}
        <label for="token">{t(SIGN_IN.token)}</label>
        <textarea
          id="token"
          name="token"
          rows={5}
          spellcheck={false}
          autocomplete="off"
          required
          aria-describedby="token-hint"
          aria-invalid={wrong}
        />
        {wrong && (
          <p class="notice bad" role="alert">
            {t(SIGN_IN.unreadable)}
          </p>
        )}
        <p class="quiet" id="token-hint">
          {t(SIGN_IN.hint)}
        </p>
        <div class="actions">
          <button type="submit" class="primary">
            {t(SIGN_IN.submit)}
          </button>
          <button type="button" class="plain" lang={other} onClick={() => chooseLanguage(other)}>
            {other === 'en' ? 'English' : '中文'}
          </button>
        </div>
      </form>
    </main>
  )
}

import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/layout.css'
import './styles/parts.css'
import { takeTokenFromAddress } from './api/session.js'
import { App } from './app.js'

takeTokenFromAddress()
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
